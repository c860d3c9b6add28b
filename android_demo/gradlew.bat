@echo off
rem Gets the Gradle named in gradle\wrapper\gradle-wrapper.properties, checks its SHA-256, and runs it: what gradlew does, on Windows.
setlocal EnableExtensions
set "HERE=%~dp0"
set "PROPERTIES=%HERE%gradle\wrapper\gradle-wrapper.properties"
for /f "usebackq tokens=1,* delims==" %%a in ("%PROPERTIES%") do (
  if "%%a"=="distributionUrl" set "URL=%%b"
  if "%%a"=="distributionSha256Sum" set "SHA256=%%b"
)
set "URL=%URL:\:=:%"
for %%f in ("%URL:/=\%") do set "NAME=%%~nf"
if not defined GRADLE_USER_HOME set "GRADLE_USER_HOME=%USERPROFILE%\.gradle"
set "PLACE=%GRADLE_USER_HOME%\wrapper\dists\%NAME%\%SHA256:~0,25%"
set "GRADLE=%PLACE%\%NAME:-bin=%\bin\gradle.bat"
if exist "%GRADLE%" goto run
if not exist "%PLACE%" mkdir "%PLACE%"
set "ZIP=%PLACE%\gradle.zip"
echo getting %URL% 1>&2
curl --fail --location --silent --show-error --output "%ZIP%" "%URL%" || exit /b 1
set "FOUND="
for /f "skip=1 tokens=* delims=" %%h in ('certutil -hashfile "%ZIP%" SHA256') do if not defined FOUND set "FOUND=%%h"
if /i not "%FOUND: =%"=="%SHA256%" (
  echo gradlew: the SHA-256 of %URL% is not the one in %PROPERTIES%; nothing was run 1>&2
  del "%ZIP%"
  exit /b 1
)
tar -xf "%ZIP%" -C "%PLACE%" || exit /b 1
del "%ZIP%"
:run
call "%GRADLE%" --project-dir "%HERE%." %*
exit /b %ERRORLEVEL%
