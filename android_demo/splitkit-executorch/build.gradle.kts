plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

// heads on ExecuTorch; an app that wants another build of it excludes this dependency and adds its own (README)
android {
    namespace = "org.pripro.splitkit.executorch"
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
    implementation(libs.executorch)
}
