"""The bell: tells other processes that there is news in the store. Never an authority: who misses a ring looks at the store anyway."""
