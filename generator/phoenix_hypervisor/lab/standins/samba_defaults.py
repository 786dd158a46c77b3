"""Samba 4.17's parameters in groups by default: Yes, No, empty, other. Names as testparm writes them."""

GLOBAL_YES = """
allow trusted domains; browse list; change notify; client NTLMv2 auth; client schannel;
client use spnego; create krb5 conf; debug hires timestamp; defer sharing violations; dns proxy;
enable core files; enable privileges; encrypt passwords; enhanced browsing; getwd cache; host msdfs;
include system krb5 conf; kdc enable fast; kernel change notify; large readwrite;
ldap server require strong auth; load printers; local master; multicast dns register;
nmbd bind explicit broadcast; nt pipe support; nt status support; read raw; reject md5 clients;
reject md5 servers; require strong key; rpc start on demand helpers; server multi channel support;
server schannel; server schannel require seal; show add printer wizard; smb1 unix extensions;
smb2 leases; stat cache; timestamp logs; tls enabled; unicode; use mmap; usershare owner only;
winbind nested groups; winbind sealed pipes; winbind use krb5 enterprise principals; write raw
"""

GLOBAL_NO = """
allow dcerpc auth level connect; allow insecure wide links; allow nt4 crypto;
allow unsafe cluster upgrade; apply group policies; async smb echo handler; auth event notification;
bind interfaces only; client lanman auth; client plaintext auth; client use spnego principal; clustering;
cups encrypt; debug class; debug encryption; debug pid; debug prefix timestamp; debug syslog format;
winbind debug traceid; debug uid; disable netbios; disable spoolss; dns zone scavenging; domain logons;
dsdb event notification; dsdb group change notification; dsdb password event notification;
enable asu support; hostname lookups; kdc force enable rc4 weak session keys; lanman auth;
ldap delete dn; log writeable files on exit; lsa over netlogon; neutralize nt4 emulation; null passwords;
obey pam restrictions; pam password change; passdb expand explicit; passwd chat debug; raw NTLMv2 auth;
registry shares; reset on zero vc; rpc big endian; smb2 disable lock sequence checking;
smb2 disable oplock break retry; syslog only; time server; unix password sync; usershare allow guests;
utmp; winbind enum groups; winbind enum users; winbind normalize names; winbind offline logon;
winbind refresh tickets; winbind rpc only; winbind scan trusted domains; winbind use default domain;
wins proxy; wins support
"""

GLOBAL_EMPTY = """
abort shutdown script; add group script; additional dns hostnames; add machine script; addport command;
addprinter command; add share command; add user script; add user to group script; afs username map;
auto services; change share command; check password script; cluster addresses; config file; ctdbd socket;
cups server; dedicated keytab file; default service; delete group script; deleteprinter command;
delete share command; delete user from group script; delete user script; dns forwarder;
dns zone transfer clients allow; dns zone transfer clients deny; enumports command; eventlog list;
get quota command; idmap gid; idmap uid; init logon delayed hosts; interfaces; iprint server;
ldap admin dn; ldap group suffix; ldap idmap suffix; ldap machine suffix; ldap suffix; ldap user suffix;
log file; logging; log nt token command; logon drive; logon script; message command; mit kdc command;
netbios aliases; netbios name; netbios scope; os2 driver map; panic action; passwd program;
password hash gpg key ids; password hash userPassword schemes; perfcount module; preload modules;
printcap name; realm; remote announce; remote browse sync; rename user script; root directory;
set primary group script; set quota command; shutdown script; svcctl list; tls crlfile;
tls dh params file; username map; username map script; usershare prefix allow list;
usershare prefix deny list; usershare template share; utmp directory; wins hook; wins server;
wtmp directory
"""

GLOBAL_OTHER = """
afs token lifetime=604800; aio max threads=100; algorithmic rid base=1000; allow dns updates=secure only;
async dns timeout=10; binddns dir=/var/lib/samba/bind-dns; cache directory=/var/cache/samba;
cldap port=389; client ipc max protocol=default; client ipc min protocol=default;
client ipc signing=default; client ldap sasl wrapping=seal; client max protocol=default;
client min protocol=SMB2_02; client protection=default; client signing=default;
client smb encrypt=default;
client smb3 encryption algorithms=AES-128-GCM, AES-128-CCM, AES-256-GCM, AES-256-CCM;
client smb3 signing algorithms=AES-128-GMAC, AES-128-CMAC, HMAC-SHA256; client use kerberos=desired;
config backend=file; ctdb locktime warn threshold=0; ctdb timeout=0; cups connection timeout=30;
dcerpc endpoint servers=epmapper, wkssvc, samr, netlogon, lsarpc, drsuapi, dssetup, unixinfo,
browser, eventlog6, backupkey, dnsserver;
deadtime=10080; dgram port=138; dns port=53; dns update command=/usr/sbin/samba_dnsupdate;
domain master=Auto; dos charset=CP850; gpo update command=/usr/sbin/samba-gpupdate; guest account=nobody;
idmap backend=tdb; idmap cache time=604800; idmap negative cache time=120; init logon delay=100;
kdc default domain supported enctypes=0; kdc supported enctypes=0; keepalive=300;
kerberos encryption types=all; kerberos method=default; kpasswd port=464; krb5 port=88;
ldap connection timeout=2; ldap debug level=0; ldap debug threshold=10; ldap deref=auto;
ldap follow referral=Auto; ldap max anonymous request size=256000;
ldap max authenticated request size=16777216; ldap max search request size=256000; ldap page size=1000;
ldap passwd sync=no; ldap replication sleep=1000; ldap ssl=start tls; ldap timeout=15; lm announce=Auto;
lm interval=60; lock directory=/run/samba; lock spin time=200; log level=1; logon home=\\\\%N\\%U;
logon path=\\\\%N\\%U\\profile; lpq cache time=30; machine password timeout=604800; mangle prefix=1;
mangling method=hash2; map to guest=Never; max disk size=0; max log size=5000; max mux=50;
max open files=16424; max smbd processes=0; max stat cache size=512; max ttl=259200; max wins ttl=518400;
max xmit=16644; mdns name=netbios; min domain uid=1000; min receivefile size=0; min wins ttl=21600;
name cache timeout=660; name resolve order=lmhosts wins host bcast; nbt client socket address=0.0.0.0;
nbt port=137; ncalrpc dir=/run/samba/ncalrpc; nsupdate command=/usr/bin/nsupdate -g;
nt hash store=always; ntlm auth=ntlmv2-only; ntp signd socket directory=/var/lib/samba/ntp_signd;
old password allowed period=60; oplock break wait time=0; os level=20; passdb backend=tdbsam;
passwd chat=*new*password* %n\\n *new*password* %n\\n *changed*; passwd chat timeout=2; password server=*;
pid directory=/run/samba; preferred master=Auto; prefork backoff increment=10; prefork children=4;
prefork maximum backoff=120; printcap cache time=750; private dir=/var/lib/samba/private;
restrict anonymous=0; rpc server dynamic port range=49152-65535; rpc server port=0;
samba kcc command=/usr/sbin/samba_kcc; security=AUTO; server max protocol=SMB3;
server min protocol=SMB2_02; server role=auto;
server services=s3fs, rpc, nbt, wrepl, ldap, cldap, kdc, drepl, winbindd, ntp_signd, kcc, dnsupdate, dns;
server signing=default;
server smb3 encryption algorithms=AES-128-GCM, AES-128-CCM, AES-256-GCM, AES-256-CCM;
server smb3 signing algorithms=AES-128-GMAC, AES-128-CMAC, HMAC-SHA256;
server string=Samba 4.17.12-Debian; smb2 max credits=8192; smb2 max read=8388608; smb2 max trans=8388608;
smb2 max write=8388608; smbd profiling level=off; smb passwd file=/etc/samba/smbpasswd;
smb ports=445 139; socket options=TCP_NODELAY; spn update command=/usr/sbin/samba_spnupdate;
state directory=/var/lib/samba; syslog=1; template homedir=/home/%D/%U; template shell=/bin/false;
tls cafile=tls/ca.pem; tls certfile=tls/cert.pem; tls keyfile=tls/key.pem;
tls priority=NORMAL:-VERS-SSL3.0; tls verify peer=as_strict_as_possible; unix charset=UTF-8;
username level=0; username map cache time=0; usershare max shares=100;
usershare path=/var/lib/samba/usershares; winbind cache time=300;
winbindd socket directory=/run/samba/winbindd; winbind expand groups=0; winbind max clients=200;
winbind max domain connections=1; winbind nss info=template; winbind reconnect delay=30;
winbind request timeout=60; winbind separator=\\; workgroup=WORKGROUP
"""

SHARE_YES = """
acl check permissions; acl flag inherited canonicalization; acl map full control; available;
blocking locks; browseable; default devmode; dos filetimes; durable handles; ea support; follow symlinks;
hide dot files; level2 oplocks; locking; map archive; nt acl support; oplocks; posix locking;
preserve case; read only; short preserve case; smbd getinfo ask sharemode; smbd search ask sharemode;
store dos attributes; strict sync
"""

SHARE_NO = """
access based share enum; acl allow execute always; acl group control; administrative share; afs share;
check parent directory delete on close; delete readonly; delete veto files; dmapi support; dos filemode;
dos filetime resolution; fake directory create times; fake oplocks; smbd force process locks;
force printername; force unknown acl user; guest ok; guest only; hide special files; hide unreadable;
hide unwriteable files; honor change notify privilege; inherit acls; inherit permissions; kernel oplocks;
kernel share modes; map acl inherit; map hidden; map system; msdfs root; msdfs shuffle referrals;
preexec close; printable; print notify backchannel; root preexec close; smbd async dosmode; spotlight;
strict allocate; strict rename; sync always; use client driver; use sendfile; wide links
"""

SHARE_EMPTY = """
admin users; aio write behind; comment; copy; cups options; dfree command; dont descend; force group;
force user; hide files; hosts allow; hosts deny; include; invalid users; lppause command;
lpresume command; lprm command; magic output; magic script; msdfs proxy; path; postexec; preexec;
print command; printer name; queuepause command; queueresume command; read list; root postexec;
root preexec; valid users; veto files; veto oplock files; vfs objects; volume; write list
"""

SHARE_OTHER = """
aio read size=1; aio write size=1; allocation roundup size=0; block size=1024; case sensitive=Auto;
create mask=0744; csc policy=manual; default case=lower; dfree cache time=0; directory mask=0755;
directory name cache size=100; force create mode=0000; force directory mode=0000; fstype=NTFS;
hide new files timeout=0; inherit owner=no; lpq command=%p; mangled names=illegal; mangling char=~;
map readonly=no; max connections=0; max print jobs=1000; max reported print jobs=0; min print space=0;
ntvfs handler=unixuid, default; printing=cups; printjob username=%U; server smb encrypt=default;
smbd max async dosmode=0; smbd max xattr size=65536; spotlight backend=noindex; strict locking=Auto;
volume serial number=-1
"""
