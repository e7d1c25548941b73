"""Where everything is put together: settings, who satisfies whose port, the application, the command line."""
