//! Says at which step WSUS synchronization breaks.
