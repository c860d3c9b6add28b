package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.security.MessageDigest

/** Where a bundle's files come from: the app's assets, or a folder in tests. */
public fun interface BundleSource {
    /** @throws IOException where there is no such file. */
    public fun open(path: String): InputStream
}

/** A bundle whose manifest has been checked; its files are checked against their hashes as they are read. */
public class Bundle private constructor(public val manifest: Manifest, private val source: BundleSource) {
    /** What the head's answer is sent to. */
    public val tail: Tail get() = manifest.tail ?: throw BundleRefused("The bundle has no tail yet; run pripro package on it and copy it again.")

    /**
     * Reads a whole file.
     *
     * @throws BundleRefused it is absent, or not the file that the manifest describes.
     */
    public fun read(ref: FileRef): ByteArray {
        val out = java.io.ByteArrayOutputStream(minOf(ref.bytes, MAX_PREALLOCATED).toInt())
        copy(ref, out)
        return out.toByteArray()
    }

    /**
     * Copies a file, checking it on the way; when this throws, discard what was written.
     *
     * @throws BundleRefused it is absent, or not the file that the manifest describes.
     */
    public fun copy(ref: FileRef, out: OutputStream) {
        val digest = MessageDigest.getInstance("SHA-256")
        var left = ref.bytes
        try {
            source.open(ref.path).use { stream ->
                val buffer = ByteArray(64 * 1024)
                while (true) {
                    val count = stream.read(buffer)
                    if (count < 0) break
                    left -= count
                    if (left < 0) break
                    digest.update(buffer, 0, count)
                    out.write(buffer, 0, count)
                }
            }
        } catch (error: IOException) {
            throw BundleRefused("${ref.path} cannot be read (${error.message}); copy the bundle into the app again.", error)
        }
        if (left != 0L || BundleId.hex(digest.digest()) != ref.sha256) {
            throw BundleRefused(
                "${ref.path} is not the file that the bundle was made with (its SHA-256 differs); copy the bundle into the app again.",
            )
        }
    }

    /** The golden inputs and what is expected of them. */
    public fun golden(): Golden =
        manifest.golden ?: throw BundleRefused("The bundle has no golden rows; run pripro package on it and copy it again.")

    public companion object {
        private const val MANIFEST = "manifest.json"
        private const val MAX_MANIFEST = 16 shl 20
        private const val MAX_PREALLOCATED = 32L shl 20

        /** @throws BundleRefused no manifest there, or one that does not fit. */
        public fun open(source: BundleSource): Bundle {
            val data = try {
                source.open(MANIFEST).use { it.readAtMost(MAX_MANIFEST) }
            } catch (error: IOException) {
                throw BundleRefused("There is no bundle in this app; make one and run: pripro demo-app android BUNDLE", error)
            } ?: throw BundleRefused("The bundle's manifest.json is larger than any manifest; copy the bundle into the app again.")
            return Bundle(ManifestReader.read(data), source)
        }
    }
}

/** All bytes of a stream, or null where there are more than [limit]; [before] is called before each read and may throw. */
internal fun InputStream.readAtMost(limit: Int, before: () -> Unit = {}): ByteArray? {
    val out = java.io.ByteArrayOutputStream()
    val buffer = ByteArray(16 * 1024)
    while (true) {
        before()
        val count = read(buffer)
        if (count < 0) return out.toByteArray()
        if (out.size() + count > limit) return null
        out.write(buffer, 0, count)
    }
}
