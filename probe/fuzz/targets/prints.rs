#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsusprobe_fuzz::prints(bytes));
