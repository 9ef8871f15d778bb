"""What the tests share: a real server, and a plain client for it."""
