package org.pripro.splitkit.photo

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test
import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.Preprocess
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.number
import org.pripro.splitkit.refused
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.math.abs

class PhotoTest {
    /** One grey level is the contract's allowance, for the order of Pillow's two passes; most photos agree to the bit. */
    @Test
    fun preparedPhotosAreThoseOfPython() {
        val cases = Contract.rows("preprocess.json") + Contract.rows("photos/modes.json")
        val exact = cases.count(::preparedAlike)
        assertTrue("$exact of ${cases.size} agree to the bit", exact > cases.size / 2)
    }

    /** Larger files than are committed: whoever wants a folder of real photos tried puts them there (test_preprocess_on_phones.py). */
    @Test
    fun preparedPhotosAreThoseOfTheLibrariesThatTrained() {
        val files = File(Contract.folder, "photos/real").listFiles().orEmpty().sorted()
        var count = 0
        for (file in files) for (case in Contract.rows("photos/real/${file.name}")) preparedAlike(case).also { count++ }
        println("real photos prepared: $count")
    }

    /** Whether the input is Python's to the bit; fails where it is off by more than a grey level. */
    private fun preparedAlike(case: Map<*, *>): Boolean {
        val rgb = Base64.getDecoder().decode(case["rgb"] as String)
        val argb = IntArray(rgb.size / 3) { 0xff shl 24 or (byte(rgb, 3 * it) shl 16) or (byte(rgb, 3 * it + 1) shl 8) or byte(rgb, 3 * it + 2) }
        val photo = Pixels(case["width"].number().toInt(), case["height"].number().toInt(), argb)
        val image = Base64.getDecoder().decode(case["image"] as String)
        val expected = FloatArray(image.size / 4).also { ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
        val how = how(case["preprocess"] as Map<*, *>)
        val got = Preprocessor(how).apply(photo)
        val plane = how.height * how.width
        assertEquals(case["name"] as String, expected.size, got.size)
        for (i in got.indices) {
            val level = (how.valueRange / 255.0 / how.std[i / plane]).toFloat()
            if (abs(got[i] - expected[i]) > 1.001f * level) fail("${case["name"]}, value $i: ${got[i]}, expected ${expected[i]} within $level")
        }
        return got.contentEquals(expected)
    }

    @Test
    fun meansThatDoNotFitTheChannelsAreRefused() {
        val how = Preprocess(3, 8, 8, "stretch", "bilinear", listOf(0.0, 0.0, 0.0), listOf(1.0, 1.0, 1.0))
        refused<BundleRefused>("one mean for three channels") { Preprocessor(how.copy(mean = listOf(0.0))) }
    }

    @Suppress("UNCHECKED_CAST")
    private val photos = Contract.parse("photos/photos.json") as Map<String, List<Map<*, *>>>

    @Test
    fun everyOrientationOfACameraIsTurnedUprightAsPillowDoes() {
        for (case in photos.getValue("turns")) {
            val orientation = Orientation.of(case["orientation"].number().toInt())
            val wide = case["stored_width"].number().toInt()
            val high = case["stored_height"].number().toInt()
            val stored = Base64.getDecoder().decode(case["stored_rgb"] as String)
            val upright = Base64.getDecoder().decode(case["rgb"] as String)
            val width = case["width"].number().toInt()
            assertEquals("$orientation", listOf(width, case["height"].number().toInt()), listOf(orientation.width(wide, high), orientation.height(wide, high)))
            for (i in upright.indices) {
                val (x, y) = i / 3 % width to i / 3 / width
                val at = orientation.storedY(x, y, high) * wide + orientation.storedX(x, y, wide)
                assertEquals("$orientation, byte $i", upright[i], stored[3 * at + i % 3])
            }
        }
    }

    @Test
    fun whatIsClearLiesOnWhite() {
        for (case in photos.getValue("blends")) {
            val colour = case["colour"].number().toInt()
            val pixel = (case["alpha"].number().toInt() shl 24) or (colour * 0x010101)
            val expected = case["on_white"].number().toInt()
            for (channel in 0 until 3) assertEquals("$case", expected, channel(pixel, channel, 3))
        }
    }

    @Test
    fun aLiveFramesColoursAreThoseOfJpeg() {
        // grey, red, green, blue by their JFIF values; a frame of 2 x 2 pixels has one chroma value
        val colours = mapOf(Triple(128, 128, 128) to 0x808080, Triple(76, 85, 255) to 0xfe0000, Triple(150, 44, 21) to 0x00ff01, Triple(29, 255, 107) to 0x0000fe)
        for ((yuv, rgb) in colours) {
            val (y, u, v) = yuv
            val frame = YuvPhoto(ByteArray(4) { y.toByte() }, byteArrayOf(u.toByte()), byteArrayOf(v.toByte()), 2, 2, 2, 1, 1)
            val row = IntArray(2).also { frame.row(1, it) }
            for (shift in listOf(0, 8, 16)) assertEquals((rgb shr shift and 255).toDouble(), (row[0] shr shift and 255).toDouble(), 1.0)
        }
    }

    @Test
    fun aLiveFrameIsTurnedUpright() {
        val luma = byteArrayOf(10, 20, 30, 99, 40, 50, 60, 99) // 3 x 2, rows of 4 bytes
        val frame = YuvPhoto(luma, ByteArray(4) { -128 }, ByteArray(4) { -128 }, 3, 2, 4, 2, 1, Orientation.ROTATED_90)
        assertEquals(listOf(2, 3), listOf(frame.width, frame.height))
        val rows = (0 until 3).map { y -> IntArray(2).also { frame.row(y, it) }.map { it and 255 } }
        assertEquals(listOf(listOf(40, 10), listOf(50, 20), listOf(60, 30)), rows)
    }

    @Test
    fun theSmashedPictureShowsEveryChannelFromBlackToWhite() {
        val spec = TensorSpec("smashed", "float32", listOf(1, 3, 1, 2))
        val picture = SmashedPicture.draw(floatArrayOf(-5f, 5f, 1f, 0f, 7f, 7f), spec)
        assertEquals(listOf(4, 2), listOf(picture.width, picture.height))
        val grey = picture.argb.map { it and 255 }
        assertEquals(listOf(0, 255, 255, 0, 0, 0, 0, 0), grey)
    }

    private fun byte(data: ByteArray, at: Int) = data[at].toInt() and 255

    private fun how(raw: Map<*, *>) = Preprocess(
        channels = raw["channels"].number().toInt(),
        height = raw["height"].number().toInt(),
        width = raw["width"].number().toInt(),
        resize = raw["resize"] as String,
        interpolation = raw["interpolation"] as String,
        mean = (raw["mean"] as List<*>).map { it.number() },
        std = (raw["std"] as List<*>).map { it.number() },
        shorterSide = raw["shorter_side"]?.number()?.toInt(),
        antialias = raw["antialias"] as Boolean,
        order = raw["order"] as String,
        valueRange = raw["value_range"].number().toInt(),
    )
}
