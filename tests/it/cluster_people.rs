//! People and machines of a hub of several nodes: whoever asks, at whichever node, gets the same answer.

mod rooms;
