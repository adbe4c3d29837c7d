//! The room against itself, real swarms on loopback: friends, strangers and liars.
mod blobs;
mod grid;
mod hostile;
mod peers;
