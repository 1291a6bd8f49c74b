# The WSUS configuration, without its password and its key
$config = (Get-Wsus).GetConfiguration()
$config | Format-List SyncFromMicrosoftUpdate, IsReplicaServer, MUUrl, RedirectorChangeNumber,
    UpstreamWsusServerName, UpstreamWsusServerPortNumber, UpstreamWsusServerUseSsl,
    UseProxy, ProxyName, ProxyServerPort, AnonymousProxyAccess, ProxyUserName, ProxyUserDomain,
    HasProxyPassword, AllowProxyCredentialsOverNonSsl, UseSeparateProxyForSsl, SslProxyName,
    SslProxyServerPort, GetContentFromMU, HostBinariesOnMicrosoftUpdate,
    DownloadUpdateBinariesAsNeeded, ServerId
