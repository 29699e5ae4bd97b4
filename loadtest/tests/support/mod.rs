//! What the load tester's tests share.

use std::path::PathBuf;

/// The gateway as the workspace builds it, beside the load tester.
pub(crate) fn gateway_program() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_tickfan-loadtest")).with_file_name("tickfan");
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build --workspace`, or the tests with --workspace",
        path.display()
    );
    path
}
