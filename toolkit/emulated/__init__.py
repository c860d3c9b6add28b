"""What is not this machine: aarch64 kernels under emulation, old runtimes in environments of their own."""
