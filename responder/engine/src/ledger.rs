//! Ledgers: adapters of core's ledger port that need nothing but this process.

mod memory;

pub use memory::MemoryLedger;
