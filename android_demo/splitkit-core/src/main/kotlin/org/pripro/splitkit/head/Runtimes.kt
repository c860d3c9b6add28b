package org.pripro.splitkit.head

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import java.util.ServiceLoader

/** The runtimes of an app: by default every splitkit module with a runtime that it was built with. */
public class Runtimes(runtimes: Iterable<HeadRuntime> = ServiceLoader.load(HeadRuntime::class.java, HeadRuntime::class.java.classLoader)) {
    private val all = runtimes.sortedBy { it.rank }

    /** @throws HeadFailed no runtime of this app opens that head. */
    public fun of(head: Head): HeadRuntime = find(head) ?: throw HeadFailed("This app has no runtime for ${head.title}; add a splitkit module that has.")

    /** The bundle's heads that this app can run, the preferred runtime first. */
    public fun heads(bundle: Bundle): List<Head> {
        val found = bundle.manifest.heads.filter { find(it) != null }.sortedBy { all.indexOf(find(it)) }
        if (found.isEmpty()) {
            throw BundleRefused("The bundle has no head for this app; run pripro convert BUNDLE --to executorch, then copy it again.")
        }
        return found
    }

    private fun find(head: Head) = all.firstOrNull { it.accepts(head) }

    public companion object {
        /** Heads whose title starts with what a person or an intent asked for, word by word; "all" takes every one. */
        public fun matching(heads: List<Head>, wanted: String): List<Head> {
            val words = wanted.trim().lowercase().split(Regex("[\\s:]+"))
            val found = if (words == listOf("all")) heads else heads.filter { head -> head.title.split(" ").take(words.size) == words }
            if (found.isEmpty()) {
                throw BundleRefused("No head fits \"$wanted\"; the bundle has: ${heads.joinToString { it.title }}.")
            }
            return found
        }
    }
}
