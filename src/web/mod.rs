//! The status page: the latest cases with their pictures, read-only, for a browser on this machine. It shows no
//! live view and nothing that was not published.
//!
//! What may be seen is what the database lists: a file name that it does not know is not looked for on disk.

mod learnt;
mod page;
mod server;

pub use server::serve;
