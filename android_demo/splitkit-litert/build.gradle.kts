plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

// heads on LiteRT
android {
    namespace = "org.pripro.splitkit.litert"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    publishing {
        singleVariant("release") {
            withSourcesJar()
        }
    }
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8
    }
}

dependencies {
    api(project(":splitkit-core"))
    implementation(libs.litert)
}
