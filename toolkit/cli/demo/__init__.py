"""The demo: a small ResNet trained on real digits, then everything pripro does, in one command."""
