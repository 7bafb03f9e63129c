#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gridpatrol::hostile::read("grids", data));
