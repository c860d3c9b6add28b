package org.pripro.splitkit.bundle

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.Contract
import org.pripro.splitkit.refused
import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.security.MessageDigest

class BundleTest {
    private val manifest = File(Contract.folder, "manifest/full.json").readBytes()

    private fun bundle(vararg files: Pair<String, ByteArray>) = Bundle.open { path ->
        ByteArrayInputStream((files.toMap() + ("manifest.json" to manifest))[path] ?: throw FileNotFoundException(path))
    }

    private fun ref(path: String, data: ByteArray) = FileRef(path, BundleId.hex(MessageDigest.getInstance("SHA-256").digest(data)), data.size.toLong())

    @Test
    fun aFileIsReadWhereItFitsItsHash() {
        val data = ByteArray(200_000) { it.toByte() }
        assertArrayEquals(data, bundle("head.pte" to data).read(ref("head.pte", data)))
    }

    @Test
    fun aFileThatWasChangedCutOrLengthenedIsRefused() {
        val data = ByteArray(1000) { it.toByte() }
        for (other in listOf(data.copyOf(999), data + 0, data.copyOf().also { it[500] = 99 })) {
            assertTrue("SHA-256" in refused<BundleRefused>("a changed file") { bundle("a" to other).read(ref("a", data)) })
        }
        assertTrue("a cannot be read" in refused<BundleRefused>("a missing file") { bundle().read(ref("a", data)) })
    }

    @Test
    fun anAppWithoutBundleSaysHowToGetOne() {
        val message = refused<BundleRefused>("nothing") { Bundle.open { throw FileNotFoundException(it) } }
        assertTrue("pripro demo-app android" in message)
    }
}
