package org.pripro.splitkit.noise

import kotlin.math.sqrt

/**
 * Uniform 64-bit words to standard normal numbers, exactly, tails included; the same bits on every phone, in Python and in Swift
 * (tests/contract/noise).
 *
 * Source: Marsaglia and Tsang, "The Ziggurat Method for Generating Random Variables", 2000, with separate bits for layer,
 * sign and position (Doornik, "An Improved Ziggurat Method", 2005): sharing bits between them, as the first
 * paper does, makes neighbouring numbers depend on each other.
 *
 * 256 layers of equal area V cover the density exp(-x^2 / 2), x >= 0; EDGE[i] is the right end of layer i. 98.8 % of the
 * words need one multiplication and one comparison.
 */
internal class Ziggurat(private val words: KeyStream) {
    fun next(): Float {
        while (true) {
            val word = words.next()
            val layer = (word and 0xff).toInt()
            val position = word ushr 11
            val x = position * STEP[layer]
            val drawn = when {
                position < INSIDE[layer] -> x
                layer == 0 -> tail()
                underCurve(layer, x) -> x
                else -> continue
            }
            return (if (word and 0x100 == 0L) drawn else -drawn).toFloat()
        }
    }

    /** The part beyond the last edge, unbounded, by Marsaglia's rejection from an exponential. */
    internal fun tail(): Double {
        while (true) {
            val a = -ln(words.unit()) / R
            val b = -ln(words.unit())
            if (b + b > a * a) return R + a
        }
    }

    private fun underCurve(layer: Int, x: Double): Boolean {
        val y = DENSITY[layer] + words.unit() * (DENSITY[layer + 1] - DENSITY[layer])
        return ln(y) < -0.5 * x * x
    }

    internal companion object {
        private const val LAYERS = 256
        private const val BITS = (1L shl 53).toDouble()

        /** Where the tail begins, the area of each layer, and the density at R, for 256 layers. */
        const val R = 3.654152885361009
        private const val V = 0.004928673233974656
        private const val F = 0.0012602859304985975

        /**
         * The natural logarithm of 0 < x <= 1 by plain arithmetic: those of libraries differ in their last bit.
         *
         * Source: ln m = 2 artanh((m - 1) / (m + 1)), its series cut where the next term is below a double's last bit.
         */
        fun ln(x: Double): Double {
            var exponent = Math.getExponent(x) + 1
            var m = Math.scalb(x, -exponent)
            if (m < 0.7071067811865475) {
                m = 2 * m
                exponent--
            }
            val s = (m - 1) / (m + 1)
            val z = s * s
            var p = 1.0 / 27.0
            for (d in 25 downTo 1 step 2) p = p * z + 1.0 / d
            return exponent * 0.6931471805599453 + (2.0 * s) * p
        }

        val EDGE = DoubleArray(LAYERS + 1)
        val DENSITY = DoubleArray(LAYERS + 1)

        init {
            EDGE[0] = V / F // the base layer, as wide as its area with the tail is
            EDGE[1] = R
            DENSITY[1] = F
            for (i in 2 until LAYERS) {
                DENSITY[i] = DENSITY[i - 1] + V / EDGE[i - 1]
                EDGE[i] = sqrt(-2.0 * ln(DENSITY[i]))
            }
            DENSITY[LAYERS] = 1.0
        }

        private val STEP = DoubleArray(LAYERS) { EDGE[it] / BITS }
        private val INSIDE = LongArray(LAYERS) { (EDGE[it + 1] / EDGE[it] * BITS).toLong() }
    }
}
