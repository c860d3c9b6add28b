package org.pripro.demo.photo

import kotlin.math.abs
import kotlin.math.max

/**
 * Pillow's 8-bit bilinear resize: the bundle's goldens and its accuracy were made with it.
 *
 * Android's own scaler reads two neighbours whatever the scale, so a large photo aliases and the head sees another
 * picture. Source of the definition: Pillow, src/libImaging/Resample.c (triangle filter as wide as the scale, 22-bit
 * fixed point, first rows, then columns; some versions take the columns of tall photos first, which differs by one grey
 * level at most).
 */
internal object PillowResize {
    private const val BITS = 22

    /** Part of the photo to be read, in pixels; single precision as in Pillow. */
    class Box(val left: Float, val top: Float, val right: Float, val bottom: Float)

    /**
     * @param plane one byte per pixel, [height] rows of [width].
     * @return [outHeight] rows of [outWidth].
     */
    fun resize(plane: IntArray, width: Int, height: Int, outWidth: Int, outHeight: Int, box: Box): IntArray {
        val horizontal = outWidth != width || box.left != 0f || box.right != outWidth.toFloat()
        val vertical = outHeight != height || box.top != 0f || box.bottom != outHeight.toFloat()
        val wide = if (horizontal) rows(plane, width, height, outWidth, Weights(width, box.left, box.right, outWidth)) else plane
        return if (vertical) columns(wide, outWidth, outHeight, Weights(height, box.top, box.bottom, outHeight)) else wide
    }

    private fun rows(plane: IntArray, width: Int, height: Int, outWidth: Int, weights: Weights): IntArray {
        val out = IntArray(outWidth * height)
        for (y in 0 until height) {
            for (x in 0 until outWidth) {
                val k = weights.of[x]
                var sum = 1 shl (BITS - 1)
                val from = y * width + weights.first[x]
                for (i in k.indices) sum += plane[from + i] * k[i]
                out[y * outWidth + x] = (sum shr BITS).coerceIn(0, 255)
            }
        }
        return out
    }

    private fun columns(plane: IntArray, width: Int, outHeight: Int, weights: Weights): IntArray {
        val out = IntArray(width * outHeight)
        for (y in 0 until outHeight) {
            val k = weights.of[y]
            for (x in 0 until width) {
                var sum = 1 shl (BITS - 1)
                for (i in k.indices) sum += plane[(weights.first[y] + i) * width + x] * k[i]
                out[y * width + x] = (sum shr BITS).coerceIn(0, 255)
            }
        }
        return out
    }

    /** For each output position: where its window begins, and the fixed-point weights of the window. */
    private class Weights(size: Int, from: Float, to: Float, outSize: Int) {
        val first = IntArray(outSize)
        val of: Array<IntArray>

        init {
            val scale = (to - from).toDouble() / outSize
            val support = max(scale, 1.0)
            of = Array(outSize) { out ->
                val center = from + (out + 0.5) * scale
                val low = max((center - support + 0.5).toInt(), 0)
                val high = minOf((center + support + 0.5).toInt(), size)
                first[out] = low
                val weights = DoubleArray(high - low) { triangle((it + low - center + 0.5) * (1 / support)) }
                val sum = weights.sum()
                IntArray(weights.size) { (weights[it] / sum * (1 shl BITS) + 0.5).toInt() }
            }
        }

        private fun triangle(x: Double): Double = if (abs(x) < 1) 1 - abs(x) else 0.0
    }
}
