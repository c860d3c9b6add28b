package org.pripro.splitkit.photo

import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.max

/**
 * Pillow's 8-bit resize: the bundle's goldens and its accuracy were made with it.
 *
 * Android's own scaler reads two neighbours whatever the scale, so a large photo aliases and the head sees another
 * picture. Source of the definition: Pillow, src/libImaging/Resample.c (a filter as wide as the scale, 22-bit
 * fixed point, first rows, then columns; some versions take the columns of tall photos first, which differs by one grey
 * level at most).
 */
internal object PillowResize {
    private const val BITS = 22

    enum class Filter(val support: Double) {
        BILINEAR(1.0),
        BICUBIC(2.0),
        NEAREST(0.0),
        ;

        /** At a distance of [x] >= 0 steps. */
        fun weight(x: Double): Double = when {
            this == BILINEAR -> if (x < 1) 1 - x else 0.0
            x < 1 -> ((A + 2) * x - (A + 3)) * x * x + 1
            x < 2 -> (((x - 5) * x + 8) * x - 4) * A
            else -> 0.0
        }

        /** The value at share [d] of the way between the middle ones of these neighbours (Pillow's Geometry.c). */
        fun between(v: List<Double>, d: Double): Double {
            if (this != BICUBIC) return v[0] + (v[1] - v[0]) * d
            val p2 = -v[0] + v[2]
            val p3 = 2 * (v[0] - v[1]) + v[2] - v[3]
            val p4 = -v[0] + v[1] - v[2] + v[3]
            return v[1] + d * (p2 + d * (p3 + d * p4))
        }

        private companion object {
            const val A = -0.5
        }
    }

    /** Part of the photo to be read, in pixels; single precision as in Pillow. */
    class Box(val left: Float, val top: Float, val right: Float, val bottom: Float)

    /**
     * Reads each row of the photo once and keeps only what is as wide as the result: the memory that it takes is that of a
     * narrow picture, whatever the photo's size.
     *
     * @return one plane of [outHeight] rows of [outWidth] for each of [channels].
     */
    fun resize(photo: Photo, channels: Int, outWidth: Int, outHeight: Int, box: Box, filter: Filter): List<IntArray> {
        if (filter == Filter.NEAREST) return nearest(photo, channels, outWidth, outHeight, box)
        val horizontal = outWidth != photo.width || box.left != 0f || box.right != outWidth.toFloat()
        val vertical = outHeight != photo.height || box.top != 0f || box.bottom != outHeight.toFloat()
        val across = if (horizontal) Weights(photo.width, box.left, box.right, outWidth, filter) else null
        val narrow = List(channels) { ByteArray(outWidth * photo.height) }
        val pixels = IntArray(photo.width)
        val values = IntArray(photo.width)
        for (y in 0 until photo.height) {
            photo.row(y, pixels)
            for (channel in 0 until channels) {
                for (x in values.indices) values[x] = channel(pixels[x], channel, channels)
                row(values, across, narrow[channel], y * outWidth, outWidth)
            }
        }
        val down = if (vertical) Weights(photo.height, box.top, box.bottom, outHeight, filter) else null
        return narrow.map { plane -> if (down == null) IntArray(plane.size) { plane[it].toInt() and 255 } else columns(plane, outWidth, outHeight, down) }
    }

    private fun row(values: IntArray, weights: Weights?, out: ByteArray, at: Int, outWidth: Int) {
        for (x in 0 until outWidth) {
            if (weights == null) {
                out[at + x] = values[x].toByte()
                continue
            }
            val k = weights.of[x]
            val from = weights.first[x]
            var sum = 1 shl (BITS - 1)
            for (i in k.indices) sum += values[from + i] * k[i]
            out[at + x] = (sum shr BITS).coerceIn(0, 255).toByte()
        }
    }

    private fun columns(plane: ByteArray, width: Int, outHeight: Int, weights: Weights): IntArray {
        val out = IntArray(width * outHeight)
        for (y in 0 until outHeight) {
            val k = weights.of[y]
            for (x in 0 until width) {
                var sum = 1 shl (BITS - 1)
                for (i in k.indices) sum += (plane[(weights.first[y] + i) * width + x].toInt() and 255) * k[i]
                out[y * width + x] = (sum shr BITS).coerceIn(0, 255)
            }
        }
        return out
    }

    /** For each output position: where its window begins, and the fixed-point weights of the window. */
    private class Weights(size: Int, from: Float, to: Float, outSize: Int, filter: Filter) {
        val first = IntArray(outSize)
        val of: Array<IntArray>

        init {
            val scale = (to - from).toDouble() / outSize
            val stretch = max(scale, 1.0)
            val support = stretch * filter.support
            of = Array(outSize) { out ->
                val center = from + (out + 0.5) * scale
                val low = max((center - support + 0.5).toInt(), 0)
                val high = minOf((center + support + 0.5).toInt(), size)
                first[out] = low
                val weights = DoubleArray(high - low) { filter.weight(abs((it + low - center + 0.5) * (1 / stretch))) }
                val sum = weights.sum()
                IntArray(weights.size) {
                    val weight = weights[it] / sum * (1 shl BITS)
                    (if (weight < 0) weight - 0.5 else weight + 0.5).toInt()
                }
            }
        }
    }

    /** Each output pixel is the one input pixel under its middle; Pillow adds up the steps, and so must this. */
    private fun nearest(photo: Photo, channels: Int, outWidth: Int, outHeight: Int, box: Box): List<IntArray> {
        val columns = places(box.left, box.right, outWidth)
        val rows = places(box.top, box.bottom, outHeight)
        val pixels = IntArray(photo.width)
        val out = List(channels) { IntArray(outWidth * outHeight) }
        for (y in 0 until outHeight) {
            if (rows[y] !in 0 until photo.height) continue
            photo.row(rows[y], pixels)
            for (x in 0 until outWidth) {
                if (columns[x] !in 0 until photo.width) continue
                for (channel in 0 until channels) out[channel][y * outWidth + x] = channel(pixels[columns[x]], channel, channels)
            }
        }
        return out
    }

    /**
     * Samples at points, without averaging over what lies between them: Pillow's affine transform, for networks that were trained
     * so. Neighbours beyond the border are the border.
     */
    fun sample(photo: Photo, channels: Int, outWidth: Int, outHeight: Int, box: Box, filter: Filter): List<IntArray> {
        val reach = if (filter == Filter.BICUBIC) -1..2 else 0..1
        val across = (box.right.toDouble() - box.left) / outWidth
        val down = (box.bottom.toDouble() - box.top) / outHeight
        val rows = HashMap<Int, IntArray>()
        val out = List(channels) { IntArray(outWidth * outHeight) }
        for (y in 0 until outHeight) {
            val at = down * (y + 0.5) + box.top - 0.5
            val first = floor(at).toInt()
            val wanted = reach.map { (first + it).coerceIn(0, photo.height - 1) }
            rows.keys.retainAll(wanted.toSet())
            for (row in wanted) rows.getOrPut(row) { IntArray(photo.width).also { photo.row(row, it) } }
            for (x in 0 until outWidth) {
                val place = across * (x + 0.5) + box.left - 0.5
                val left = floor(place).toInt()
                for (channel in 0 until channels) {
                    val lines = wanted.map { row ->
                        val pixels = rows.getValue(row)
                        filter.between(reach.map { channel(pixels[(left + it).coerceIn(0, photo.width - 1)], channel, channels).toDouble() }, place - left)
                    }
                    out[channel][y * outWidth + x] = filter.between(lines, at - first).coerceIn(0.0, 255.0).toInt()
                }
            }
        }
        return out
    }

    private fun places(from: Float, to: Float, outSize: Int): IntArray {
        val step = (to - from).toDouble() / outSize
        var at = from + step * 0.5
        return IntArray(outSize) { (if (at < 0) -1 else at.toInt()).also { at += step } }
    }
}
