package org.pripro.splitkit.photo

/**
 * A frame of a live camera: full-size luma, quarter-size chroma (YUV 4:2:0), turned upright as its rows are read.
 *
 * Source of the arithmetic: JFIF 1.02, full-range BT.601, which is what Android's YUV_420_888 frames of cameras are.
 *
 * @param y, u, v the planes, one byte a value.
 * @param rowStride bytes from row to row: of luma, and of chroma; [chromaStep] bytes from value to value of chroma.
 */
public class YuvPhoto(
    private val y: ByteArray,
    private val u: ByteArray,
    private val v: ByteArray,
    private val storedWidth: Int,
    private val storedHeight: Int,
    private val rowStride: Int,
    private val chromaRowStride: Int,
    private val chromaStep: Int,
    private val orientation: Orientation = Orientation.UPRIGHT,
) : Photo {
    override val width: Int = orientation.width(storedWidth, storedHeight)
    override val height: Int = orientation.height(storedWidth, storedHeight)

    init {
        val lastRow = (storedHeight - 1) / 2 * chromaRowStride + (storedWidth - 1) / 2 * chromaStep
        require(y.size > (storedHeight - 1) * rowStride + storedWidth - 1 && u.size > lastRow && v.size > lastRow) { "the planes are too short" }
    }

    override fun row(y: Int, into: IntArray) {
        for (x in 0 until width) into[x] = pixel(orientation.storedX(x, y, storedWidth), orientation.storedY(x, y, storedHeight))
    }

    private fun pixel(column: Int, row: Int): Int {
        val luma = y[row * rowStride + column].toInt() and 255
        val chroma = row / 2 * chromaRowStride + column / 2 * chromaStep
        val blue = (u[chroma].toInt() and 255) - 128
        val red = (v[chroma].toInt() and 255) - 128
        // 16-bit fixed point, rounded
        val r = luma + (91881 * red + 32768 shr 16)
        val g = luma - (22554 * blue + 46802 * red + 32768 shr 16)
        val b = luma + (116130 * blue + 32768 shr 16)
        return 0xff shl 24 or (r.coerceIn(0, 255) shl 16) or (g.coerceIn(0, 255) shl 8) or b.coerceIn(0, 255)
    }
}
