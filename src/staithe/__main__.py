"""`python -m staithe` is the same as `staithe`."""

from staithe.cli.main import main

if __name__ == "__main__":
    main()
