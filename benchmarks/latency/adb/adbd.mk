# adbd for Linux (the platform's own build calls it host_adbd_supported), run in the source tree of Debian's package
A = system/core/adb
SRC = $(addprefix $(A)/, adb.cpp adb_io.cpp adb_listeners.cpp adb_trace.cpp adb_unique_fd.cpp adb_utils.cpp fdevent/fdevent.cpp fdevent/fdevent_poll.cpp fdevent/fdevent_epoll.cpp services.cpp sockets.cpp socket_spec.cpp sysdeps/errno.cpp transport.cpp transport_fd.cpp transport_local.cpp transport_usb.cpp types.cpp sysdeps_unix.cpp sysdeps/posix/network.cpp daemon/auth.cpp daemon/jdwp_service.cpp daemon/usb_dummy.cpp daemon/file_sync_service.cpp daemon/services.cpp daemon/shell_service.cpp shell_service_protocol.cpp daemon/main.cpp adbconnection/adbconnection_server.cpp) system/core/diagnose_usb/diagnose_usb.cpp frameworks/native/libs/adbd_auth/adbd_auth.cpp
OBJ = $(SRC:.cpp=.adbd.o) system/core/libcrypto_utils/android_pubkey.o
CPPFLAGS = -D_GNU_SOURCE -DADB_HOST=0 -DALLOW_ADBD_ROOT=1 -DALLOW_ADBD_NO_AUTH=1 -DADB_VERSION='"29.0.6"' -DPLATFORM_TOOLS_VERSION='"29.0.6"' -DNDEBUG -I/usr/include/android -I$(A) -I$(A)/daemon/include -I$(A)/adbconnection/include -Isystem/core/base/include -Isystem/core/include -Isystem/core/libcutils/include -Isystem/core/libcrypto_utils/include -Isystem/core/diagnose_usb/include -Iframeworks/native/libs/adbd_auth/include -Isystem/core/liblog/include -Isystem/core/libasyncio/include
CXXFLAGS = -std=gnu++2a -O1 -fPIC -w -include atomic -include optional
L = /usr/lib/x86_64-linux-gnu/android
adbd: $(OBJ)
	$(CXX) -o $@ $^ -L$(L) -Wl,-rpath=$(L) -lbase -lcutils -llog -lcrypto -lcap -lresolv -lpthread
%.adbd.o: %.cpp
	$(CXX) -c -o $@ $< $(CXXFLAGS) $(CPPFLAGS)
%.o: %.c
	gcc -c -fPIC -w -o $@ $< $(CPPFLAGS)
