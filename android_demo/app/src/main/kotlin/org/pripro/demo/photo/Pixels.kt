package org.pripro.demo.photo

/** A photo as 0xAARRGGBB, row by row. */
class Pixels(val width: Int, val height: Int, val argb: IntArray) {
    init {
        require(width > 0 && height > 0 && argb.size == width * height) { "$width x $height pixels are not ${argb.size}" }
    }

    /** One byte per pixel and channel: red, green, blue, or (for 1) grey by ITU-R 601 as Pillow rounds it. */
    fun planes(channels: Int): List<IntArray> = when (channels) {
        3 -> listOf(16, 8, 0).map { shift -> IntArray(argb.size) { argb[it] shr shift and 255 } }
        else -> listOf(IntArray(argb.size) { grey(argb[it]) })
    }

    private fun grey(pixel: Int): Int =
        ((pixel shr 16 and 255) * 19595 + (pixel shr 8 and 255) * 38470 + (pixel and 255) * 7471 + 0x8000) shr 16
}
