//! What the suite's tests share.
