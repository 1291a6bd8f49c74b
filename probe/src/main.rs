//! The program `wsusprobe`.

fn main() -> std::process::ExitCode {
    wsusprobe::cli::main()
}
