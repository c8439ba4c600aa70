//! Catalogues: synthetic ones, and files of items or of real orders.
