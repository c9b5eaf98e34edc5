/* The yardstick: a bare libpcap loop that touches every packet, as peers read files. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char problem[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *header;
    const unsigned char *bytes;
    unsigned long long packets = 0, sum = 0;
    pcap_t *file = argc == 2 ? pcap_open_offline(argv[1], problem) : NULL;
    if (file == NULL)
        return 2;
    while (pcap_next_ex(file, &header, &bytes) == 1) {
        packets++;
        sum += header->caplen > 0 ? bytes[0] : 0;
    }
    (void)printf("%llu %llu\n", packets, sum);
    pcap_close(file);
    return 0;
}
