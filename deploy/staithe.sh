#!/bin/sh
# The command of the image: the package is copied, not installed, so nothing else makes one.
exec /opt/staithe/bin/python -m staithe "$@"
