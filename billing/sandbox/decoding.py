"""What reading somebody else's XDR can raise."""

from xdrlib3 import Error

# RecursionError: values nest, and a sender may nest them as deep as a body is long.
UNREADABLE = (ValueError, EOFError, Error, RecursionError)
