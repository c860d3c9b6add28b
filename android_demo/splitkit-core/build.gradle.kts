plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

// no Android plugin, no Android class: this library and its tests run on any JVM
java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
    withSourcesJar()
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8
    }
    sourceSets["test"].kotlin.srcDir("src/tools/kotlin")
}

dependencies {
    testImplementation(libs.junit)
}
