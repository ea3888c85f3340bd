// An example in Go: opens the config on stdin with libfernseal. The key is in PROXMOX_MCP_MASTER_KEY.
package main

// #cgo pkg-config: fernseal
// #include <fernseal.h>
import "C"

import (
	"io"
	"log"
	"os"
	"unsafe"
)

func chars(text []byte) (*C.char, C.size_t) {
	if len(text) == 0 {
		return nil, 0
	}
	return (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text))
}

func main() {
	json, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	var master C.fernseal_master_key
	defer C.fernseal_wipe(unsafe.Pointer(&master), C.size_t(unsafe.Sizeof(master)))
	opened, length := make([]byte, 4*len(json)+1), C.size_t(0)
	text, textLen := chars([]byte(os.Getenv("PROXMOX_MCP_MASTER_KEY")))
	in, inLen := chars(json)
	out, capacity := chars(opened)
	status := C.fernseal_master_key_parse(&master, text, textLen)
	if status == C.FERNSEAL_OK {
		status = C.fernseal_config_open(out, capacity, &length, &master, in, inLen, nil)
	}
	if status != C.FERNSEAL_OK {
		log.Fatal(C.GoString(C.fernseal_status_str(C.int32_t(status))))
	}
	os.Stdout.Write(opened[:length])
}
