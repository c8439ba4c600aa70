//! From configuration to backends: the only file that names them.
