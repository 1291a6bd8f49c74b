//! The program `wsuslab`.

fn main() -> std::process::ExitCode {
    wsuslab::cli::main()
}
