//! What a run is told as: terminal and JSON.
