package org.pripro.splitkit.parity

import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.sign

/**
 * What comparing the features of a head that emits codes with eager torch's has to know, as toolkit/verify/codes.py does.
 *
 * A code stands for a range of features one step wide: up to half a step away is rounding, not a fault. Features past the ends of
 * the codes' range are cut there, on both sides. Behind a waist codes are few and coarse, and it counts how many are the same.
 */
internal class HeadCodes private constructor(head: Head, private val levels: Int?) {
    private val output = head.outputs[0]
    private val scale = output.scale!!.map { it.toFloat() }
    private val zero = output.zeroPoint!!.map { it.toFloat() }
    private val isLast = output.layout != "NCHW" && output.layout != "NC"
    val channels: Int = if (isLast) output.shape.last() else output.shape[1]
    private val positions = if (isLast) 1 else output.values / channels
    private val top = (levels ?: LEVELS) - 1

    val isCoarse: Boolean get() = levels != null

    fun channel(at: Int): Int = at / positions % channels

    private fun scale(at: Int) = scale[if (scale.size == 1) 0 else channel(at)]

    private fun zero(at: Int) = zero[if (zero.size == 1) 0 else channel(at)]

    /** The code of the feature at that place. */
    fun code(value: Float, at: Int): Int = (Math.rint((value / scale(at)).toDouble()).toFloat() + zero(at)).coerceIn(0f, top.toFloat()).toInt()

    /** A feature of eager torch's, limited to what codes can express. */
    fun cut(value: Float, at: Int): Float = value.coerceIn((0f - zero(at)) * scale(at), (top - zero(at)) * scale(at))

    /** A feature moved towards the wanted one by half a step at most. */
    fun withoutRounding(found: Float, wanted: Float, at: Int): Float {
        val difference = found - wanted
        return if (difference.isNaN()) difference else wanted + sign(difference) * max(abs(difference) - scale(at) / 2, 0f)
    }

    companion object {
        private const val LEVELS = 256

        /** Codes of a head that emits them, or null. */
        fun of(head: Head, bundle: Bundle): HeadCodes? =
            if (head.outputs.firstOrNull()?.scale == null) null else HeadCodes(head, bundle.manifest.protection?.waist?.coding?.levels?.first())

        /** Least share of a waist's codes that are eager torch's; toolkit/package/limits.py. */
        fun leastSame(precision: String): Double = when (precision) {
            "fp32" -> 0.999
            "fp16" -> 0.99
            "w8" -> 0.95
            "int8" -> 0.9
            else -> ELSE
        }

        /** How much lower the weakest channel may be. */
        const val LOCAL = 0.1
        private const val ELSE = 0.8
    }
}
