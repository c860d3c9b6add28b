plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.android.library) apply false
    alias(libs.plugins.kotlin.android) apply false
    alias(libs.plugins.kotlin.jvm) apply false
    alias(libs.plugins.dokka) apply false
}

// What the four libraries are published as: org.pripro:splitkit-core:VERSION and so on, with sources and KDoc.
//     ./gradlew publishToMavenLocal
// A repository of your own goes in by -PpublishUrl, its user and password by -PpublishUser and -PpublishPassword.
subprojects {
    group = "org.pripro"
    version = providers.gradleProperty("splitkit.version").get()
    if (name == "app") return@subprojects

    apply(plugin = "maven-publish")
    apply(plugin = "org.jetbrains.dokka")
    afterEvaluate {
        val kdoc = tasks.register<Jar>("kdocJar") {
            archiveClassifier = "javadoc"
            from(tasks.named("dokkaGeneratePublicationHtml"))
        }
        extensions.configure<PublishingExtension> {
            publications.register<MavenPublication>("release") {
                from(components.findByName("release") ?: components["java"])
                artifact(kdoc)
                pom {
                    name = project.name
                    description = "Runs the head of a split network on a phone and asks its tail in the cloud."
                    licenses {
                        license {
                            name = "Apache-2.0"
                            url = "https://www.apache.org/licenses/LICENSE-2.0.txt"
                        }
                    }
                }
            }
            providers.gradleProperty("publishUrl").orNull?.let { address ->
                repositories.maven(address) {
                    credentials {
                        username = providers.gradleProperty("publishUser").orNull
                        password = providers.gradleProperty("publishPassword").orNull
                    }
                }
            }
        }
    }
}
