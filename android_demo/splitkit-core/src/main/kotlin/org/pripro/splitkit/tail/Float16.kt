package org.pripro.splitkit.tail

/** Half precision for the wire; android.util.Half does the same but exists on Android only. */
internal object Float16 {
    /** @throws TailFailed.BadFeatures a value rounds to infinity. */
    fun littleEndian(values: FloatArray): ByteArray {
        val bytes = ByteArray(values.size * 2)
        for (i in values.indices) {
            val bits = bits(values[i])
            if (bits and 0x7fff >= 0x7c00) throw TailFailed.BadFeatures("${values[i]} is beyond half precision; send another encoding.")
            bytes[2 * i] = bits.toByte()
            bytes[2 * i + 1] = (bits shr 8).toByte()
        }
        return bytes
    }

    /** IEEE 754 binary16, rounded to nearest, ties to even, subnormals kept. */
    internal fun bits(value: Float): Int {
        val sign = if (value < 0 || (value == 0f && 1 / value < 0)) 0x8000 else 0
        val size = Math.abs(value).toDouble()
        if (size >= 65520.0) return sign or 0x7c00
        // a number of steps: below 2^-14 all steps are 2^-24, above there are 2^10 of them in each power of two
        val exponent = Math.max(Math.getExponent(size), -14)
        val steps = Math.rint(Math.scalb(size, 10 - exponent)).toInt()
        return sign or (((exponent + 14) shl 10) + steps)
    }
}
