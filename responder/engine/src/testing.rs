//! A small cluster for tests.
