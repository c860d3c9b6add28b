"""Pieces of `pripro measure`: interleaved timing, the machine's condition, profiles, memory, phones over adb."""
