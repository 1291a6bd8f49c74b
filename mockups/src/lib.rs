//! The building blocks of a false WSUS world on loopback.
