package org.pripro.splitkit.head

import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.FileRef
import org.pripro.splitkit.bundle.Head
import java.io.File
import java.io.IOException

/**
 * A bundle's heads as files: runtimes open files, and an app's assets are not files.
 *
 * @param folder where bundles may lie; folders of other bundles in it are removed.
 */
public class HeadFiles(private val bundle: Bundle, private val folder: File) {
    private val own = File(folder, "bundle-${bundle.manifest.bundleId.take(16)}")

    /**
     * Copies a head out of the bundle, comparing its hash on the way; call it before the clock of a load runs.
     *
     * @return the file that a runtime opens.
     * @throws org.pripro.splitkit.BundleRefused a file of it is absent or changed.
     */
    public fun install(head: Head): File {
        val others = folder.listFiles { file -> file.name.startsWith("bundle-") && file != own }
        others?.forEach { it.deleteRecursively() }
        try {
            head.files.forEach { copy(it, File(own, it.path)) }
        } catch (error: IOException) {
            throw HeadFailed("The head cannot be copied to the phone's storage (${error.message}); free some space and try again.", error)
        }
        return File(own, head.entry)
    }

    private fun copy(ref: FileRef, target: File) {
        target.parentFile?.mkdirs()
        val aside = File(target.path + ".new")
        aside.outputStream().use { bundle.copy(ref, it) }
        // a head that is open keeps the file that it mapped
        if (!aside.renameTo(target)) throw IOException("${target.name} cannot be renamed")
    }
}
