"""The narrow waist: few coarse codes cross instead of the features.

    image -> [ head | encoder -> block(eps) -> codes ] -> bytes -> [ decode -> decoder | tail ] -> answer

Read in this order: geometry.py (how narrow), encoder.py and decoder.py (the two networks), modules.py (a cut network
with a waist is a cut network again), symbols.py (rounding, and what a code costs), training.py with steering.py
(distillation; accuracy and bytes decide the weights), tables.py (integer frequencies).
"""
