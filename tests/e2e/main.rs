//! The binary under test, as users meet it: real processes on loopback, driven by the command line.
//!
//! One test target, so that one program is linked; a module for each thing that must hold. Nothing
//! in here knows the insides of a node: what it reads is `--json`, files, HTTP and exit codes.
mod audited;
mod checked;
mod commands;
mod demo;
mod grid;
mod harness;
mod hostile;
mod key;
mod levels;
mod modules;
mod rechecked;
mod restart;
mod scientist;
mod tasks;
mod unequal;
mod verify;
