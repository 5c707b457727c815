"""A conversation on a terminal.

The conversation is what the model is given again at each turn; it lives as long as the command, unless `/save` writes
it to a file. Ctrl-C stops an answer, and what was said of it stays part of the conversation.
"""

from trillm.cli.chat.answer import show, statistics
from trillm.cli.chat.session import Session

__all__ = ["Session", "show", "statistics"]
