//! A venue over a real websocket, which does as it is told.
