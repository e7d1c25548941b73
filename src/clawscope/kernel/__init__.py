"""The words every part shares: errors, callers, events, ids, time, money, text, secrets, pages. Standard library only."""
