package org.pripro.demo.ui

import android.content.Context
import org.pripro.demo.BundleRefused
import org.pripro.demo.HeadFailed
import org.pripro.demo.bundle.Bundle
import org.pripro.demo.bundle.FileRef
import org.pripro.demo.bundle.Head
import org.pripro.demo.bundle.TensorSpec
import org.pripro.demo.head.HeadRunner
import org.pripro.demo.head.Runtimes
import org.pripro.demo.noise.EpsSource
import org.pripro.demo.tail.OwnAuthority
import org.pripro.demo.tail.TailAddress
import org.pripro.demo.tail.TailClient
import org.pripro.demo.tail.Wire
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/** The bundle in this app, its heads as files, and the way to its tail. Used on the worker thread only. */
class Session(private val context: Context, private val settings: Settings) {
    /** @throws org.pripro.demo.BundleRefused with what a person should do. */
    val bundle: Bundle by lazy { Bundle.open { path -> context.assets.open("bundle/$path") } }

    val heads: List<Head> by lazy { Runtimes.heads(bundle) }

    /** One buffer for all requests of this bundle, null where the head takes no noise. */
    val noise: EpsSource? by lazy { bundle.manifest.protection?.eps?.let { EpsSource(it.values) } }

    private var opened: Pair<String, HeadRunner>? = null

    fun runtime(head: Head): String {
        val version = head.tools[head.target] ?: "unknown"
        return "${Runtimes.of(head)?.name ?: head.target}, file made with $version"
    }

    /** Opens a head anew; the caller closes it. */
    fun open(head: Head, threads: Int): HeadRunner {
        val runtime = Runtimes.of(head) ?: throw HeadFailed("This app has no runtime for ${head.title}.")
        return runtime.open(head, install(head), threads)
    }

    /** The head that Classify uses, opened once and kept. */
    fun chosen(): Pair<Head, HeadRunner> {
        val head = heads.firstOrNull { it.title == settings.head } ?: heads.first()
        val key = "${head.title} ${settings.threads}"
        opened?.let { (name, runner) -> if (name == key) return head to runner else runner.close() }
        opened = null
        val runner = open(head, settings.threads)
        opened = key to runner
        return head to runner
    }

    /** The client for the address in the settings, or null where none is set. */
    fun tailClient(): TailClient? {
        if (settings.url.isEmpty()) return null
        val tail = bundle.tail
        if (tail.wireVersion != Wire.VERSION) {
            throw BundleRefused("The tail speaks wire version ${tail.wireVersion}, this app ${Wire.VERSION}; use the app of that pripro.")
        }
        return TailClient(TailAddress.resolve(settings.url, tail.route), bundle.manifest.bundleId, settings.token, authority())
    }

    /** How features cross: the chosen encoding if the tail takes it, else the first that this app speaks. */
    fun encoding(): TensorSpec {
        val offered = bundle.tail.inputs.filter(Wire::speaks)
        return offered.firstOrNull { it.dtype == settings.encoding } ?: offered.firstOrNull()
            ?: throw BundleRefused("The tail takes no encoding that this app speaks; make the bundle anew.")
    }

    /** Runtimes open files and assets are none: a head is copied, and checked on the way, each time it is opened. */
    private fun install(head: Head): File {
        val folder = File(context.noBackupFilesDir, "bundle-${bundle.manifest.bundleId.take(16)}")
        val others = context.noBackupFilesDir.listFiles { file -> file.name.startsWith("bundle-") && file != folder }
        others?.forEach { it.deleteRecursively() }
        try {
            head.files.forEach { copy(it, File(folder, it.path)) }
        } catch (error: IOException) {
            throw HeadFailed("The head cannot be copied to the phone's storage (${error.message}); free some space and try again.", error)
        }
        return File(folder, head.entry)
    }

    private fun copy(ref: FileRef, target: File) {
        target.parentFile?.mkdirs()
        val aside = File(target.path + ".new")
        aside.outputStream().use { bundle.copy(ref, it) }
        if (!aside.renameTo(target)) throw IOException("${target.name} cannot be renamed")
    }

    private fun authority() = try {
        context.assets.open("tail_ca.pem").use(OwnAuthority::trusting)
    } catch (_: FileNotFoundException) {
        null
    }
}
