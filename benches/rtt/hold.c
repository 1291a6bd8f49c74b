/* hold QUEUE MILLISECONDS: lets each packet of a netfilter queue go that long after it came.
 *
 * The kernel's TCP stays on both ends; only time passes between them. A kernel with `tc netem` needs none of this.
 * It says "ready" once the queue is read: until then the kernel drops what a rule sends there.
 *
 *     gcc -O2 -o hold hold.c -lnetfilter_queue -lnfnetlink
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include <libnetfilter_queue/libnetfilter_queue.h>

/* More than the kernel keeps in the queue, so that the ring never meets its own tail. */
enum { QUEUED = 32768, RING = 2 * QUEUED };

struct packet {
    uint32_t id;
    struct timespec due;
};

static struct packet ring[RING];
static unsigned oldest, next;
static struct timespec delay;

static struct timespec after(struct timespec when, struct timespec more)
{
    when.tv_sec += more.tv_sec;
    when.tv_nsec += more.tv_nsec;
    if (when.tv_nsec >= 1000000000) {
        when.tv_nsec -= 1000000000;
        when.tv_sec++;
    }
    return when;
}

static int passed(struct timespec due)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > due.tv_sec || (now.tv_sec == due.tv_sec && now.tv_nsec >= due.tv_nsec);
}

static int keep(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *nothing)
{
    struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
    (void)queue, (void)message, (void)nothing;
    if (header) {
        struct packet *packet = &ring[next++ % RING];
        packet->id = ntohl(header->packet_id);
        clock_gettime(CLOCK_MONOTONIC, &packet->due);
        packet->due = after(packet->due, delay);
    }
    return 0;
}

static int fail(const char *what)
{
    fprintf(stderr, "hold: %s failed (%d); is CAP_NET_ADMIN there, and nfnetlink_queue in the kernel?\n", what, errno);
    return 1;
}

int main(int count, char **arguments)
{
    double milliseconds = count == 3 ? atof(arguments[2]) : -1;
    if (milliseconds < 0 || milliseconds > 10000) {
        fprintf(stderr, "usage: hold QUEUE MILLISECONDS\n");
        return 2;
    }
    delay.tv_sec = (time_t)(milliseconds / 1000);
    delay.tv_nsec = (long)((milliseconds - 1000.0 * delay.tv_sec) * 1e6);

    struct nfq_handle *netfilter = nfq_open();
    if (!netfilter)
        return fail("nfq_open");
    struct nfq_q_handle *queue = nfq_create_queue(netfilter, (uint16_t)atoi(arguments[1]), keep, NULL);
    if (!queue)
        return fail("nfq_create_queue");
    if (nfq_set_mode(queue, NFQNL_COPY_META, 0) < 0 || nfq_set_queue_maxlen(queue, QUEUED) < 0)
        return fail("setting the queue");
    /* Loopback's segments of 64 KiB stay whole. */
    nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO);
    nfnl_rcvbufsiz(nfq_nfnlh(netfilter), 16 << 20);
    int socket = nfq_fd(netfilter), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (timer < 0 || fcntl(socket, F_SETFL, O_NONBLOCK) < 0)
        return fail("timerfd_create");
    puts("ready");
    fflush(stdout);

    static char buffer[1 << 16];
    for (;;) {
        struct pollfd waits[2] = {{.fd = socket, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
        struct itimerspec alarm = {{0, 0}, {0, 0}};
        if (oldest != next)
            alarm.it_value = ring[oldest % RING].due;
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return fail("poll");
        ssize_t size;
        while ((size = recv(socket, buffer, sizeof buffer, 0)) > 0)
            nfq_handle_packet(netfilter, buffer, (int)size);
        if (size < 0 && errno == ENOBUFS)
            fprintf(stderr, "hold: packets were lost\n");
        for (; oldest != next && passed(ring[oldest % RING].due); oldest++)
            nfq_set_verdict(queue, ring[oldest % RING].id, NF_ACCEPT, 0, NULL);
    }
}
